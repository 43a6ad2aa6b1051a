# dbd_sqlite.pl PATH: a Perl program that uses a database by DBD::SQLite, and does what run tells it.
use strict;
use warnings;
use DBI;
use File::Basename;

$| = 1;
my ($path) = @ARGV;
my ($connection, $reader);
my %commands = (
    open => sub {
        $connection = DBI->connect("dbi:SQLite:dbname=$path", "", "", {RaiseError => 1});
        $connection->do($_) for "create table if not exists ours(a)", "insert into ours values (1)";
    },
    close => sub { $connection->disconnect },
    keep => sub {
        open($reader, "<:raw", $path) or die "$path: $!";
        read($reader, my $bytes, 16);
    },
    drop => sub { close($reader) or die $! },
    list => sub {
        opendir(my $directory, dirname($path)) or die $!;
        my @names = readdir($directory);
    },
);
print DBI->connect("dbi:SQLite:dbname=:memory:")->selectrow_array("select sqlite_version()"), "\n";
while (my $line = <STDIN>) {
    chomp $line;
    $commands{$line}->();
    print "done\n";
}

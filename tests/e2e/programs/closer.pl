# closer.pl PATH: as closer.py, through DBD::SQLite, which calls sqlite3_close.
use strict;
use warnings;
use DBI;

$| = 1;
my $connection = DBI->connect("dbi:SQLite:dbname=$ARGV[0]", "", "", {RaiseError => 1});
$connection->do("create table if not exists t(a)");
$connection->do("insert into t values (1)");
print "open\n";
<STDIN>;
$connection->disconnect;
print "closed\n";

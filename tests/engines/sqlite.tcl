# sqlite.tcl PATH: a Tcl program that uses a database by its package sqlite3, and does what run tells it.
package require sqlite3

set path [lindex $argv 0]
puts [sqlite3 -version]
flush stdout
while {[gets stdin line] >= 0} {
    switch -- $line {
        open {
            sqlite3 connection $path
            connection eval {create table if not exists ours(a); insert into ours values (1)}
        }
        close {connection close}
        keep {
            set reader [open $path rb]
            read $reader 16
        }
        drop {close $reader}
        list {glob -directory [file dirname $path] *}
    }
    puts done
    flush stdout
}

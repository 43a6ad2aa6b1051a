# closer.tcl PATH: as closer.py, through Tcl's sqlite3 package.
package require sqlite3
sqlite3 connection [lindex $argv 0]
connection eval {create table if not exists t(a)}
connection eval {insert into t values (1)}
puts "open"
flush stdout
gets stdin
connection close
puts "closed"
flush stdout

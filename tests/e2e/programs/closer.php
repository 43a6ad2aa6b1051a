<?php
// closer.php PATH: as closer.py, through PHP, which loads its extensions with RTLD_DEEPBIND.
$connection = new SQLite3($argv[1]);
$connection->exec("create table if not exists t(a)");
$connection->exec("insert into t values (1)");
echo "open\n";
fgets(STDIN);
$connection->close();
echo "closed\n";

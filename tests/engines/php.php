<?php
// php.php ENGINE PATH: a PHP program that uses a database by SQLite3 or PDO, and does what run tells it.

[, $engine, $path] = $argv;
$tables = "create table if not exists ours(a); insert into ours values (1)";

echo $engine === "PDO" ? (new PDO("sqlite::memory:"))->query("select sqlite_version()")->fetchColumn()
                       : SQLite3::version()["versionString"], "\n";
while (($line = fgets(STDIN)) !== false) {
    switch (rtrim($line)) {
        case "open":
            $connection = $engine === "PDO" ? new PDO("sqlite:$path") : new SQLite3($path);
            $connection->exec($tables);
            break;
        case "close":
            if ($engine === "SQLite3") $connection->close();
            $connection = null; // which is how PDO closes
            break;
        case "keep":
            $reader = fopen($path, "rb");
            fread($reader, 16);
            break;
        case "drop":
            fclose($reader);
            break;
        case "list":
            scandir(dirname($path));
            break;
    }
    echo "done\n";
}

//! rusqlite with its own SQLite, linked statically; the loop of store.go.
use std::io::{stdin, BufRead};
use std::time::Instant;

fn main() -> rusqlite::Result<()> {
    let mut lines = stdin().lock().lines();
    while let Some(Ok(path)) = lines.next() {
        let db = rusqlite::Connection::open(path)?;
        db.execute_batch("create table if not exists t(a); insert into t values (1)")?;
        println!("open");
        if lines.next().is_none() {
            break;
        }
        let began = Instant::now();
        db.close().map_err(|(_, error)| error)?;
        println!("closed {}", began.elapsed().as_micros());
    }
    Ok(())
}

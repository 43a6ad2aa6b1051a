package store

import "database/sql"

// SQL opens a database with a driver and writes a row, so that it has files.
func SQL(driver string) func(path string) (Closer, error) {
	return func(path string) (Closer, error) {
		db, err := sql.Open(driver, path)
		if err == nil {
			_, err = db.Exec("create table if not exists t(a); insert into t values (1)")
		}
		return db, err
	}
}

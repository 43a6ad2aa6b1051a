// Command installer puts a package and what it needs into a root directory, as Alpine's `apk add --initdb
// --allow-untrusted` does: from a repository, a directory of this machine, with a database of packages.
//
// usage: installer ROOT REPOSITORY ARCHITECTURE PACKAGE
//
// exit codes: 0 installed, 1 refused, with the reason, 2 usage
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/chainguard-dev/go-apk/pkg/apk"
	"github.com/chainguard-dev/go-apk/pkg/fs"
)

func add(root, repository, architecture, name string) error {
	ctx := context.Background()
	installer, err := apk.New(apk.WithFS(fs.DirFS(root)), apk.WithArch(architecture),
		apk.WithNoSignatureIndexes(repository))
	if err != nil {
		return err
	}
	if err := installer.InitDB(ctx); err != nil {
		return err
	}
	if err := installer.SetRepositories(ctx, []string{repository}); err != nil {
		return err
	}
	if err := installer.SetWorld(ctx, []string{name}); err != nil {
		return err
	}
	return installer.FixateWorld(ctx, nil)
}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: installer ROOT REPOSITORY ARCHITECTURE PACKAGE")
		os.Exit(2)
	}
	if err := add(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, "installer:", err)
		os.Exit(1)
	}
}

// Command engine-crds writes the resource definitions of the engines whose controllers the lab simulates, one YAML file
// each: Containerized Data Importer (CDI), CSI snapshots, network attachments, Kube-OVN, CloudNativePG's clusters, Rook's buckets
// and their users. KubeVirt's come from the program kubevirt.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"kubevirt.io/containerized-data-importer/pkg/operator/resources"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: engine-crds DIRECTORY")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "engine-crds:", err)
		os.Exit(1)
	}
}

func run(directory string) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	for name, definition := range resources.CDICRDs {
		path := filepath.Join(directory, "cdi-"+name+".yaml")
		if err := os.WriteFile(path, []byte(definition), 0o644); err != nil {
			return err
		}
	}
	for _, source := range sources {
		if err := source.copy(directory); err != nil {
			return fmt.Errorf("%s: %w", source.module, err)
		}
	}
	return nil
}

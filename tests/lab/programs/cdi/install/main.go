// Command cdi-install writes what CDI's operator would install, one object per file:
//
//	cdi-install DIRECTORY --registry PLACE --tag TAG
//
// definitions/ holds resource definitions, objects/ what comes after them, registrations/ what makes the API server ask
// cdi-apiserver and therefore comes when cdi-apiserver answers.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

func main() {
	flags := flag.NewFlagSet("cdi-install", flag.ExitOnError)
	registry := flags.String("registry", "", "where images seem to come from")
	tag := flags.String("tag", "", "the images' tag")
	if len(os.Args) < 2 || strings.HasPrefix(os.Args[1], "-") {
		fail(fmt.Errorf("name a directory"))
	}
	if err := flags.Parse(os.Args[2:]); err != nil {
		fail(err)
	}
	installation, err := generate(*registry, *tag)
	if err != nil {
		fail(err)
	}
	for folder, objects := range installation {
		if err := write(filepath.Join(os.Args[1], folder), objects); err != nil {
			fail(err)
		}
	}
}

func write(folder string, objects []runtime.Object) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for number, object := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return err
		}
		delete(content, "status")
		text, err := yaml.Marshal(content)
		if err != nil {
			return err
		}
		// Keys are among them.
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%03d.yaml", number)), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "cdi-install:", err)
	os.Exit(2)
}

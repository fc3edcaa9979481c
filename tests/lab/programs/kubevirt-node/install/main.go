// Command kubevirt-install writes what virt-operator would install on a cluster with nodes, one object per file:
//
//	kubevirt-install DIRECTORY --registry PLACE --tag TAG
//
// definitions/ holds resource definitions, objects/ what comes after them, statuses/ what goes to the subresource `status`,
// registrations/ what makes the API server ask virt-api and therefore comes when virt-api answers.
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
	flags := flag.NewFlagSet("kubevirt-install", flag.ExitOnError)
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
		if filepath.Base(folder) != "statuses" {
			delete(content, "status")
		}
		widen(content)
		text, err := yaml.Marshal(content)
		if err != nil {
			return err
		}
		// Certificates are among them.
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%03d.yaml", number)), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// widen mends KubeVirt's definitions: the checksums in a machine instance's status are unsigned numbers of 32 bits, and the
// definitions say int32. An API server that checks formats refuses half of them, and the instance stays Scheduled for ever.
func widen(value any) {
	switch value := value.(type) {
	case map[string]any:
		for name, field := range value {
			if schema, ok := field.(map[string]any); ok && name == "checksum" && schema["format"] == "int32" {
				schema["format"] = "int64"
			}
			widen(field)
		}
	case []any:
		for _, element := range value {
			widen(element)
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "kubevirt-install:", err)
	os.Exit(2)
}

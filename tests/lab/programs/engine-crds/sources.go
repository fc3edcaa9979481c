package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// Some modules publish their definitions as YAML beside the code, where no import reaches them. They are read out of the
// module itself: `go mod download` finds it in Go's module cache or fetches it, at the version go.mod names, and checks it
// against go.sum. Both files are part of this program, so what it writes does not depend on where it runs.
//
// A module whose own requirements cannot be resolved from outside it stays out of go.mod: it is named with its version, and
// its sums are in apart.sum.
var (
	//go:embed go.mod
	goMod []byte
	//go:embed go.sum
	goSum []byte
	//go:embed apart.sum
	apartSum []byte
)

type source struct {
	prefix string // of the files written
	module string
	files  string   // pattern of the definitions within the module
	kinds  []string // which definitions of a file are written; none named: all
}

var sources = []source{
	{"csi-", "github.com/kubernetes-csi/external-snapshotter/client/v8", "config/crd/*snapshot*.yaml", nil},
	{"multus-", "github.com/k8snetworkplumbingwg/network-attachment-definition-client", "artifacts/networks-crd.yaml", nil},
	{"cnpg-", "github.com/cloudnative-pg/cloudnative-pg@v1.30.0", "config/crd/bases/postgresql.cnpg.io_clusters.yaml", nil},
	{"kube-ovn-", "github.com/kubeovn/kube-ovn@v1.16.2", "charts/kube-ovn-v2/crds/kube-ovn-crd.yaml", []string{"vpcs.kubeovn.io", "subnets.kubeovn.io"}},
	{"rook-", "github.com/rook/rook@v1.20.6", "deploy/examples/crds.yaml", []string{"objectbucketclaims.objectbucket.io", "objectbuckets.objectbucket.io", "cephobjectstoreusers.ceph.rook.io"}},
}

func (from source) copy(directory string) error {
	root, err := moduleRoot(from.module)
	if err != nil {
		return err
	}
	paths, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(from.files)))
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("no file matches %s: the module has moved its definitions", from.files)
	}
	for _, path := range paths {
		definition, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if definition, err = from.chosen(definition); err != nil {
			return err
		}
		target := filepath.Join(directory, from.prefix+filepath.Base(path))
		if err := os.WriteFile(target, definition, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// chosen is the part of a file that holds the kinds named, in their order.
func (from source) chosen(file []byte) ([]byte, error) {
	if len(from.kinds) == 0 {
		return file, nil
	}
	documents := bytes.Split(file, []byte("\n---\n"))
	var chosen [][]byte
	for _, kind := range from.kinds {
		index := slices.IndexFunc(documents, func(document []byte) bool {
			return bytes.Contains(document, []byte("\n  name: "+kind+"\n"))
		})
		if index < 0 {
			return nil, fmt.Errorf("no definition is called %s", kind)
		}
		chosen = append(chosen, documents[index])
	}
	return bytes.Join(chosen, []byte("\n---\n")), nil
}

// moduleRoot is the folder of a module's files in Go's module cache.
func moduleRoot(module string) (string, error) {
	scratch, err := os.MkdirTemp("", "engine-crds-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	for name, content := range map[string][]byte{"go.mod": goMod, "go.sum": append(slices.Clone(goSum), apartSum...)} {
		if err := os.WriteFile(filepath.Join(scratch, name), content, 0o644); err != nil {
			return "", err
		}
	}

	command := exec.Command("go", "mod", "download", "-json", module)
	command.Dir = scratch
	command.Env = append(os.Environ(), "GOWORK=off")
	output, err := command.Output()
	downloaded := struct{ Dir, Error string }{}
	if decoding := json.Unmarshal(output, &downloaded); decoding != nil {
		// Without JSON the reason is the command's own failure, for example that no `go` is installed.
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return "", fmt.Errorf("go mod download: %w: %s", err, exit.Stderr)
		}
		return "", errors.Join(err, decoding)
	}
	if downloaded.Error != "" {
		return "", errors.New(downloaded.Error)
	}
	return downloaded.Dir, nil
}

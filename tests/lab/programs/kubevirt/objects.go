package main

// What virt-operator would install, written as files: one object each, in four folders applied in this order.
//
//	definitions/    the resource definitions; wait until each is Established
//	objects/        namespace, access rules, configuration
//	statuses/       to the subresource status; then start virt-api and virt-controller
//	registrations/  webhooks and aggregated API; only once virt-api listens, or nothing can be written any more
//
// Within a folder the files apply in the order of their names.

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// namespace is where KubeVirt's own programs live; service account names in its rules and webhooks refer to it.
const namespace = "kubevirt"

// endpoint is where the API server reaches virt-api.
type endpoint struct {
	url  *url.URL
	port int32
	ca   []byte
}

func writeObjects(args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return errors.New("usage: kubevirt-objects DIRECTORY --ca-bundle FILE --api-url https://127.0.0.1:PORT")
	}
	directory := args[0]
	flags := flag.NewFlagSet("kubevirt-objects", flag.ContinueOnError)
	caBundle := flags.String("ca-bundle", "", "PEM file of the authority that signed virt-api's certificate")
	apiURL := flags.String("api-url", "", "where virt-api listens, with its port")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	where, err := newEndpoint(*apiURL, *caBundle)
	if err != nil {
		return err
	}

	definitions, err := definitions()
	if err != nil {
		return err
	}
	for folder, objects := range map[string][]runtime.Object{
		"definitions":   definitions,
		"objects":       installation(),
		"statuses":      {configured()},
		"registrations": registrations(where),
	} {
		if err := write(filepath.Join(directory, folder), objects); err != nil {
			return err
		}
	}
	return nil
}

func newEndpoint(address, caBundle string) (*endpoint, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("--api-url: %w", err)
	}
	port, err := strconv.ParseInt(parsed.Port(), 10, 32)
	if parsed.Scheme != "https" || err != nil {
		return nil, fmt.Errorf("--api-url %q: give it as https://ADDRESS:PORT", address)
	}
	ca, err := os.ReadFile(caBundle)
	if err != nil {
		return nil, fmt.Errorf("--ca-bundle: %w", err)
	}
	return &endpoint{url: parsed, port: int32(port), ca: ca}, nil
}

func write(directory string, objects []runtime.Object) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	for order, object := range objects {
		text, name, err := render(object)
		if err != nil {
			return fmt.Errorf("%s, object %d: %w", directory, order, err)
		}
		path := filepath.Join(directory, fmt.Sprintf("%03d-%s.yaml", order, name))
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// render gives the YAML of an object and a file name for it. Beside a spec, a status is an empty one Go wrote.
func render(object runtime.Object) ([]byte, string, error) {
	encoded, err := json.Marshal(object)
	if err != nil {
		return nil, "", err
	}
	fields := unstructured.Unstructured{}
	if err := json.Unmarshal(encoded, &fields.Object); err != nil {
		return nil, "", err
	}
	if fields.GetKind() == "" || fields.GetAPIVersion() == "" || fields.GetName() == "" {
		return nil, "", fmt.Errorf("%T has no kind, version or name", object)
	}
	if _, whole := fields.Object["spec"]; whole {
		unstructured.RemoveNestedField(fields.Object, "status")
	}
	unstructured.RemoveNestedField(fields.Object, "metadata", "creationTimestamp")
	text, err := yaml.Marshal(fields.Object)
	name := strings.ToLower(fields.GetKind()) + "-" + strings.ReplaceAll(fields.GetName(), ":", "-")
	return text, name, err
}

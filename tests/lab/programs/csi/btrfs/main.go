// Command csi-btrfs is the lab's own storage driver (Container Storage Interface 1.12): one btrfs subvolume for each volume,
// a read-only one for each snapshot. For tests only: it serves one node, and sizes are kept but not enforced.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// driverName says what it is: the lab's, and nobody's product.
const driverName = "btrfs.lab.jiyun.io"

func main() {
	folder := flag.String("pool", "/pool", "a folder of a mounted btrfs")
	socket := flag.String("socket", "/csi/csi.sock", "where to listen")
	register := flag.String("register", "", "where the kubelet asks who is here; nothing is registered if empty")
	seen := flag.String("seen", "", "the socket's path as the kubelet sees it")
	node := flag.String("node", "", "the node's name")
	flag.Parse()
	if err := serve(*folder, *socket, *register, *seen, *node); err != nil {
		log.Fatal(err)
	}
}

func serve(folder, socket, register, seen, node string) error {
	pool, err := openPool(folder)
	if err != nil {
		return err
	}
	listener, err := listen(socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(checked))
	csi.RegisterIdentityServer(server, identity{})
	csi.RegisterControllerServer(server, controller{pool: pool})
	csi.RegisterNodeServer(server, publisher{pool: pool, node: node})
	if register != "" {
		asked, err := listen(register)
		if err != nil {
			return err
		}
		answers := grpc.NewServer()
		registration.RegisterRegistrationServer(answers, registrar{socket: seen})
		go func() { log.Fatal(answers.Serve(asked)) }()
	}
	return server.Serve(listener)
}

// listen takes the place of a socket that an earlier process left.
func listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	return net.Listen("unix", path)
}

// checked logs what is refused, and refuses requests that lack what the interface demands.
func checked(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	err := complete(request)
	var answer any
	if err == nil {
		answer, err = handle(ctx, request)
	}
	if err != nil {
		log.Printf("%s: %v", info.FullMethod, err)
	}
	return answer, err
}

// registrar tells the kubelet where the driver listens (kubelet, pkg/apis/pluginregistration/v1).
type registrar struct {
	registration.UnimplementedRegistrationServer
	socket string
}

func (r registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: driverName, Endpoint: r.socket, SupportedVersions: []string{"1.0.0"},
	}, nil
}

func (registrar) NotifyRegistrationStatus(_ context.Context, status *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if !status.PluginRegistered {
		return nil, fmt.Errorf("the kubelet refused the driver: %s", status.Error)
	}
	return &registration.RegistrationStatusResponse{}, nil
}

package main

import (
	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// complete refuses a request that lacks a field the interface requires (CSI specification, "Required" fields).
func complete(request any) error {
	missing := func(field string) error { return status.Errorf(codes.InvalidArgument, "%s is missing", field) }
	if asked, ok := request.(interface{ GetVolumeId() string }); ok && asked.GetVolumeId() == "" {
		return missing("volume_id")
	}
	if asked, ok := request.(interface{ GetTargetPath() string }); ok && asked.GetTargetPath() == "" {
		return missing("target_path")
	}
	switch request := request.(type) {
	case *csi.CreateVolumeRequest:
		if request.GetName() == "" || len(request.GetVolumeCapabilities()) == 0 {
			return missing("name or volume_capabilities")
		}
	case *csi.CreateSnapshotRequest:
		if request.GetName() == "" || request.GetSourceVolumeId() == "" {
			return missing("name or source_volume_id")
		}
	case *csi.DeleteSnapshotRequest:
		if request.GetSnapshotId() == "" {
			return missing("snapshot_id")
		}
	case *csi.NodePublishVolumeRequest:
		if request.GetVolumeCapability() == nil {
			return missing("volume_capability")
		}
	case *csi.ValidateVolumeCapabilitiesRequest:
		if len(request.GetVolumeCapabilities()) == 0 {
			return missing("volume_capabilities")
		}
	}
	return nil
}

package s3

import (
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3/minio"
)

// The steps that have a name of their own.
const (
	// rootID is the administrator of a MinIO that we install.
	rootID engine.ID = "secret/" + minio.RootSecret
	// clientID is what client minio of the realm and MinIO know of each other.
	clientID engine.ID = "secret/" + minio.ClientSecret
	// trustID are the private authorities for MinIO's own calls.
	trustID engine.ID = "secret/" + minio.TrustSecret
	// claimID is the volume of a single server.
	claimID engine.ID = "persistentvolumeclaim/" + claimName
	// layoutID keeps one server from being put in the place of several, or the other way round, beside their data.
	layoutID engine.ID = "volumes.minio/layout"
	// loadedID is MinIO with its policies in memory.
	loadedID engine.ID = "ready.s3/minio"
	// groupsID are the groups that only the realm knows.
	groupsID engine.ID = "groups.s3/realm"
	// bucketsID are the settings of all buckets.
	bucketsID engine.ID = "buckets.s3/settings"
	// reachID is the server as browsers reach it.
	reachID engine.ID = "reach.s3/onyxia"
)

// releaseID is the release of MinIO.
const releaseID engine.ID = "release.helm/" + minio.ReleaseName

// claimName is the volume of a single server. It is an object of ours, so that no uninstall of anything takes it along.
const claimName = "minio-data"

// The Service of the chart, and its port.
const (
	service = minio.ReleaseName
	port    = 9000
)

// shareName is the claim of one of several servers; the chart's template is called export.
func shareName(number int) string { return fmt.Sprintf("export-%s-%d", minio.ReleaseName, number) }

// shareID is its step.
func shareID(number int) engine.ID { return engine.ID("persistentvolumeclaim/" + shareName(number)) }

// The mappers by which tokens open buckets.
const (
	everybodyMapper = "s3 everybody"
	policyMapper    = "s3 policy"
	audienceMapper  = "s3 audience"
	tagsMapper      = "s3 session tags"
	groupTagsMapper = "s3 group tags"
)

// What roles of client minio are said to be for. By it our own are known, and those of groups that the configuration
// named from those of groups that were made in the realm.
const (
	everybodyRole = "Opens everybody's own bucket"
	memberRole    = "Opens the bucket of this name"
	foundRole     = "Opens the bucket of this name, of a group that was made in the realm"
)

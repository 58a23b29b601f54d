package imds

import (
	"context"
	"net/url"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/transport"
)

// userDataVersion is the first api-version with user data.
const userDataVersion = "2021-01-01"

// GetUserDataOptions holds the optional parameters of [Client.GetUserData]: none yet.
type GetUserDataOptions struct{}

// GetUserDataResponse is the answer to [Client.GetUserData].
type GetUserDataResponse struct {
	// UserData is decoded; zero if the VM has none. Azure allows 64 KiB, which is not
	// checked here.
	UserData azprov.Secret
}

// GetUserData reads the VM's user data alone, GET
// /metadata/instance/compute/userData?api-version=2021-01-01&format=text, and
// decodes it. A VM without user data is no error: the response is zero. It is for
// agents that need nothing else; who also needs the host name or keys saves a
// request by [Client.GetInstance].
//
// Budget, attempts and retries are those of GetInstance; a body that is not base64
// is retried like a damaged document.
//
// Errors: as GetInstance; on a service too old for user data (Azure Stack Hub) the
// kind is UnsupportedVersion.
func (c *Client) GetUserData(ctx context.Context, _ *GetUserDataOptions) (resp GetUserDataResponse, err error) {
	ctx, op := c.t.Start(ctx, "GetUserData", provisioningBudget)
	defer func() { op.End(err) }()
	query := url.Values{"api-version": {c.version(userDataVersion)}, "format": {"text"}}
	call := c.get(retry.IMDSProvisioning(), "/metadata/instance/compute/userData", query)
	call.Check = func(r *transport.Response) error {
		data, err := decodeUserData(string(r.Body))
		resp.UserData = data
		return err
	}
	if _, err = op.Do(ctx, call); err != nil {
		return GetUserDataResponse{}, withReason(pinned(c.version(userDataVersion), err))
	}
	return resp, nil
}

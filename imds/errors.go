package imds

import (
	"errors"
	"strconv"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/retry"
)

// reasons are cloud-init's texts for a read that failed without a usable status;
// Azure's support pages know them (cloudinit/sources/azure/errors.py).
var reasons = map[retry.Class]string{
	retry.ClassConnect:     "connection error querying IMDS",
	retry.ClassUnreachable: "connection error querying IMDS",
	retry.ClassBroken:      "connection error querying IMDS",
	retry.ClassTimeout:     "read timeout querying IMDS",
	retry.ClassOther:       "unexpected error querying IMDS",
}

// withReason adds what the platform is told about a failed read. It returns err for
// convenience.
func withReason(err error) error {
	var e *azprov.Error
	if !errors.As(err, &e) || e.Reason != "" || e.Last == nil {
		return err
	}
	var document *azprov.Error
	switch {
	case errors.As(e.Last, &document) && document.Reason != "":
		e.Reason, e.Details = document.Reason, document.Details
		return err
	case e.Status >= 300:
		e.Reason = "http error " + strconv.Itoa(e.Status) + " querying IMDS"
		e.Details = append(e.Details, azprov.Detail{Key: "http_code", Value: strconv.Itoa(e.Status)})
	default:
		e.Reason = reasonOf(e.Last)
	}
	e.Details = append(e.Details,
		azprov.Detail{Key: "duration", Value: strconv.FormatFloat(e.Elapsed.Seconds(), 'f', 3, 64)},
		azprov.Detail{Key: "exception", Value: e.Last.Error()},
		azprov.Detail{Key: "url", Value: e.Target},
	)
	return err
}

func reasonOf(err error) string {
	class := retry.ClassOf(err)
	var timeout interface{ Timeout() bool }
	if class == retry.ClassConnect && errors.As(err, &timeout) && timeout.Timeout() {
		return "connection timeout querying IMDS"
	}
	return reasons[class]
}

// serviceError returns the document behind a failed call, if the service sent one.
func serviceError(err error) (ServiceError, bool) {
	var respErr *azcore.ResponseError
	if !errors.As(err, &respErr) || respErr.RawResponse == nil {
		return ServiceError{}, false
	}
	body, err := runtime.Payload(respErr.RawResponse) // downloaded already
	if err != nil {
		return ServiceError{}, false
	}
	return ParseServiceError(body)
}

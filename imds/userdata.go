package imds

import (
	"encoding/base64"
	"strings"

	"github.com/azprov/azprov"
)

// asciiSpace is what may stand between the pieces of base64 text.
const asciiSpace = " \t\r\n\v\f"

// decodeUserData decodes base64 as tolerantly as the peers do: white space is
// removed wherever it stands (encoding/base64 itself skips line ends only), and
// the padding may be missing. Nothing at all gives the zero Secret: no user data
// is set. Anything else is an error of [azprov.KindMalformed].
func decodeUserData(encoded string) (azprov.Secret, error) {
	compact := strings.Map(func(r rune) rune {
		if strings.ContainsRune(asciiSpace, r) {
			return -1
		}
		return r
	}, encoded)
	if compact == "" {
		return azprov.Secret{}, nil
	}
	encoding := base64.StdEncoding
	if len(compact)%4 != 0 {
		encoding = base64.RawStdEncoding
	}
	decoded, err := encoding.DecodeString(compact)
	if err != nil {
		return azprov.Secret{}, &azprov.Error{
			Op: "imds.UserData", Kind: azprov.KindMalformed, Message: "the user data is not base64", Last: err,
			Hint:    "encode the VM's user data in base64 when it is set",
			Reason:  reasonParse,
			Details: []azprov.Detail{{Key: "exception", Value: "the user data is not base64"}},
		}
	}
	return azprov.NewSecret(decoded), nil
}

// UserDataBytes returns the decoded user data, the zero Secret if none is set.
// White space in the base64 text does not matter, nor does missing padding; text
// that is not base64 is an error of [azprov.KindMalformed]. Azure allows 64 KiB.
func (c Compute) UserDataBytes() (azprov.Secret, error) {
	return decodeUserData(c.UserData.RevealString())
}

// Package imds is a client of Azure's Instance Metadata Service, 169.254.169.254:
// the typed instance document, user data, reprovision data, api-versions, and any
// other path.
//
// A boot agent makes one request, [Client.GetInstance], instead of one per field:
// the service allows a VM five requests a second, all its programs together. The
// client negotiates the api-version, because sovereign clouds and Azure Stack Hub
// lag behind; it waits for what is not there yet, and refuses what cannot be IMDS.
//
// The service is documented in "Azure Instance Metadata Service" by Microsoft;
// reprovision data and extended=true are what cloud-init and azure-init use.
package imds

// Command vault is the published Vault server, built from its Go module for live tests only: it speaks the API
// of the key store that users run. It is never shipped.
package main

import (
	"os"

	"github.com/hashicorp/vault/command"
)

func main() {
	os.Exit(command.Run(os.Args[1:]))
}

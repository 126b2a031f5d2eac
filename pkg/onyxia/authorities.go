package onyxia

import (
	"encoding/pem"
	"errors"
	"fmt"
)

// CAFiles splits a PEM bundle into the files of the ConfigMap of Input.CAConfigMap, one certificate each: the API's
// entrypoint hands every file to Java's keytool, which takes the first certificate of a file and leaves the others (seen
// with JDK 25). A file is named after its certificate, so the order in the bundle does not matter and none stands twice.
func CAFiles(bundle []byte) (map[string]string, error) {
	files := map[string]string{}
	for rest := bundle; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("the bundle of private authorities holds a %s: certificates only are expected", block.Type)
		}
		files["ca-"+digest(block.Bytes)+".crt"] = string(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}))
	}
	if len(files) == 0 {
		return nil, errors.New("the bundle of private authorities holds no PEM certificate")
	}
	return files, nil
}

// Package onyxia knows Onyxia's Helm chart: it renders values and regions for each generation of its schema, finds in
// values what the chart and the API would drop without a word, and tells whether a running API serves what was rendered.
//
// Which key exists in which chart version is data: keys.yaml. References such as D5 or P7 in comments are to the
// defects of the 2023 guide and the pains of its readers.
package onyxia

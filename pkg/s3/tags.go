package s3

import (
	"context"
	"encoding/xml"
	"fmt"
	"maps"
	"net/url"
	"slices"
)

// tagging is the document of a bucket's tags.
type tagging struct {
	XMLName xml.Name `xml:"Tagging"`
	Tags    []tag    `xml:"TagSet>Tag"`
}

type tag struct {
	Key   string `xml:"Key"`
	Value string `xml:"Value"`
}

// bucketTags reads the tags of a bucket; none is no error.
func (c *Client) bucketTags(ctx context.Context, bucket string) (map[string]string, error) {
	var x tagging
	err := c.into(ctx, &x, "read tags of", bucket, url.Values{"tagging": {""}})
	if IsCode(err, "NoSuchTagSet") {
		return nil, nil
	}
	tags := map[string]string{}
	for _, each := range x.Tags {
		tags[each.Key] = each.Value
	}
	return tags, err
}

// setBucketTags writes all tags of a bucket.
func (c *Client) setBucketTags(ctx context.Context, bucket string, tags map[string]string) error {
	var x tagging
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		x.Tags = append(x.Tags, tag{Key: key, Value: tags[key]})
	}
	body, err := xml.Marshal(x)
	if err != nil {
		return fmt.Errorf("tags of %s: %w", Location(bucket, ""), err)
	}
	return c.configure(ctx, "set tags of", bucket, "tagging", body)
}

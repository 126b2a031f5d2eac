package keycloak

import "context"

func (r *Realm) findScope(ctx context.Context, name string) (document, error) {
	list, err := r.scopes.Get(ctx)
	if err != nil {
		return nil, err
	}
	return find(list, "name", name), nil
}

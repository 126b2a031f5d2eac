package stage

// Overlay puts values on top of each other: maps merge, everything else replaces (Helm's own rule).
func Overlay(layers ...map[string]any) map[string]any {
	out := map[string]any{}
	for _, layer := range layers {
		for key, value := range layer {
			above, isMap := value.(map[string]any)
			below, wasMap := out[key].(map[string]any)
			switch {
			case isMap && wasMap:
				out[key] = Overlay(below, above)
			case isMap:
				out[key] = Overlay(above)
			default:
				out[key] = value
			}
		}
	}
	return out
}

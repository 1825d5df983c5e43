"""Pictures for people: overlays, panels, previews, reports."""

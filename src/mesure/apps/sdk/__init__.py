"""Inside an application: `mesure.instrument()` for its AI clients, `mesure.meter()` for models it runs itself."""

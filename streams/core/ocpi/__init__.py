"""OCPI and OCPP 2.1 documents, as decoded JSON, read into what the core prices."""

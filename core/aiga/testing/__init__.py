"""What authors of extensions test with: a domain that lives in microseconds, and suites to inherit."""

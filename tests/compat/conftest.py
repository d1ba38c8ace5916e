"""The scripts are run by a test, with their import changed; they are no tests themselves."""

collect_ignore_glob = ["scripts/*"]

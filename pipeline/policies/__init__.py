"""Pure decisions and frozen settings. Nothing here touches Django, a vendor's SDK or the network."""

"""What an owner of the hardware measured, beside plan and guides, as one report to be sent in."""

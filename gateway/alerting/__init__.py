"""What an operator must look at: conditions that no message raises are looked for, and alerts are taken to people."""

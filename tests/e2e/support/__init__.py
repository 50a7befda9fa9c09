"""What the end-to-end tests share: started servers, the mms program, invites."""

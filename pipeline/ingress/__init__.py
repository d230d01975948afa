"""The way in: signature, fence, mailbox, ack."""

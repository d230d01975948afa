"""Tiny silent audio files that carry their text, and reading that text back."""

import hashlib
import struct

MARKER = b"SIMTEXT:"
CONTENT_TYPES = {"mp3": "audio/mpeg", "opus": "audio/ogg", "wav": "audio/wav"}
OPUS_SILENCE = b"\xf8\xff\xfe"
MP3_SILENCE = b"\xff\xfb\x10\xc4" + bytes(100)
OGG_PAYLOAD_MAX = 255 * 255 - 1


def speak(text: str, audio_format: str) -> bytes:
    carried = MARKER + text.encode(errors="replace") + b"\0"
    return {"mp3": _mp3, "opus": _ogg_opus, "wav": _wav}[audio_format](carried)


def carried_text(audio: bytes) -> str | None:
    _, marker, rest = audio.partition(MARKER)
    return rest.partition(b"\0")[0].decode(errors="replace") if marker else None


def transcribe(audio: bytes) -> str:
    text = carried_text(audio)
    if text is not None:
        return text
    return f"simulated transcript {hashlib.sha256(audio).hexdigest()[:8]}"


def _wav(carried: bytes) -> bytes:
    samples = bytes(320)
    padded = carried + b"\0" * (len(carried) % 2)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 16000, 32000, 2, 16)
    data = struct.pack("<4sI", b"data", len(samples)) + samples
    note = struct.pack("<4sI", b"note", len(padded)) + padded
    chunks = b"WAVE" + form + data + note
    return struct.pack("<4sI", b"RIFF", len(chunks)) + chunks


def _mp3(carried: bytes) -> bytes:
    """An ID3v2.3 private frame with the text, then one silent MPEG frame."""
    body = b"simulator\0" + carried
    frame = b"PRIV" + struct.pack(">IH", len(body), 0) + body
    size = len(frame)
    synchsafe = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + synchsafe + frame + MP3_SILENCE


def _ogg_opus(carried: bytes) -> bytes:
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 0, 16000, 0, 0)
    comment = carried[: OGG_PAYLOAD_MAX - 64]
    tags = b"OpusTags" + struct.pack("<I", 9) + b"simulator" + struct.pack("<II", 1, len(comment)) + comment
    return _ogg_page(head, 0, 2) + _ogg_page(tags, 1, 0) + _ogg_page(OPUS_SILENCE, 2, 4, granule=960)


def _ogg_page(payload: bytes, sequence: int, flags: int, *, granule: int = 0) -> bytes:
    lacing = b"\xff" * (len(payload) // 255) + bytes([len(payload) % 255])
    before = struct.pack("<4sBBqII", b"OggS", 0, flags, granule, 1, sequence)
    after = bytes([len(lacing)]) + lacing + payload
    checksum = _ogg_crc(before + bytes(4) + after)
    return before + struct.pack("<I", checksum) + after


def _ogg_crc_table() -> list[int]:
    table = []
    for byte in range(256):
        register = byte << 24
        for _ in range(8):
            register = (register << 1) ^ (0x04C11DB7 if register & 0x80000000 else 0)
        table.append(register & 0xFFFFFFFF)
    return table


OGG_CRC_TABLE = _ogg_crc_table()


def _ogg_crc(data: bytes) -> int:
    """The checksum of RFC 3533: CRC-32 with polynomial 0x04c11db7, not reflected, start 0."""
    register = 0
    for byte in data:
        register = ((register << 8) & 0xFFFFFFFF) ^ OGG_CRC_TABLE[(register >> 24) ^ byte]
    return register

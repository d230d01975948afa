"""What all calls of the Graph API have in common: where they go, who asks, and what a refusal means."""

from pipeline.policies.errors import PipelineError
from pipeline.ports import ChannelConfig
from pipeline.transports import http_client
from pipeline.transports.whatsapp_cloud.errors import classify

VENDOR_URL = "https://graph.facebook.com"
API_VERSION = "v23.0"


def number_url(channel: ChannelConfig) -> str:
    """Of the phone number, under which its messages and media are."""
    return f"{channel.api_url or VENDOR_URL}/{API_VERSION}/{channel.external_id}"


def authorization(channel: ChannelConfig) -> dict[str, str]:
    return {"Authorization": f"Bearer {channel.credentials['access_token']}"}


def refused(response: http_client.Response) -> PipelineError:
    try:
        error = response.json()["error"]
        code, detail = int(error["code"]), str(error.get("message", ""))
    except (ValueError, KeyError, TypeError):
        code, detail = None, response.text[:200]
    return classify(code, response.status, detail, http_client.retry_after_s(response))

"""Pages of other people's models, dressed as ours."""

from zupa_site.admin.accounts import GroupAdmin, UserAdmin
from zupa_site.admin.tasks import FailureAdmin

__all__ = ["FailureAdmin", "GroupAdmin", "UserAdmin"]

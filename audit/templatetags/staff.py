"""`audit.staff.show` for templates."""

from django import template

from audit.staff import show

register = template.Library()

register.filter("moment", show.moment)
register.filter("milliseconds", show.milliseconds)
register.filter("as_json", show.as_json)
register.filter("address", show.address)
register.simple_tag(show.badge, name="badge")

from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations

from review.groups import establish


def make_groups(apps, schema_editor):
    """Django makes permissions after all migrations; the groups need them now."""
    for config in apps.get_app_configs():
        config.models_module = True
        create_permissions(config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
        config.models_module = None
    establish(apps, also_existing=True)


class Migration(migrations.Migration):

    dependencies = [
        ('review', '0001_initial'),
        ('audit', '0006_access'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
        ('conversations', '0005_access'),
        ('django_q', '0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more'),
        ('pipeline', '0003_trail'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunPython(make_groups, migrations.RunPython.noop),
    ]

from django.db import migrations

# ALWAYS: also in a session that says it is a replica.
FORWARD = """
CREATE TRIGGER audit_seal_append_only BEFORE UPDATE OR DELETE ON audit_seal
    FOR EACH ROW EXECUTE FUNCTION audit_entry_refuse_change();
CREATE TRIGGER audit_seal_no_truncate BEFORE TRUNCATE ON audit_seal
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_refuse_change();
ALTER TABLE audit_seal ENABLE ALWAYS TRIGGER audit_seal_append_only;
ALTER TABLE audit_seal ENABLE ALWAYS TRIGGER audit_seal_no_truncate;
ALTER TABLE audit_auditentry ENABLE ALWAYS TRIGGER audit_entry_append_only;
ALTER TABLE audit_auditentry ENABLE ALWAYS TRIGGER audit_entry_no_truncate;
"""

BACKWARD = """
ALTER TABLE audit_auditentry ENABLE TRIGGER audit_entry_append_only;
ALTER TABLE audit_auditentry ENABLE TRIGGER audit_entry_no_truncate;
DROP TRIGGER audit_seal_append_only ON audit_seal;
DROP TRIGGER audit_seal_no_truncate ON audit_seal;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_seal")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]

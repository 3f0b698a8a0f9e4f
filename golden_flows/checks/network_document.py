"""Has network_data.json a form that agents know?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import SILENT_GUEST, check, given
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.network_schema import defects

CARRIERS = ("config-drive", "openstack-http")
FINDINGS_MAX = 8


@check("MD-15", needs=("boot",))
def network_data_has_a_documented_form(facts: Facts) -> Said:
    """The document keeps to nova's schema, or to what nova is known to write beyond it.

    An agent that meets a type it does not know leaves that NIC alone at best; cloud-init before 19.1 left them all
    (LP 1639263). The strict reading of the schema, which nova itself does not pass, is evidence and not judged.
    """
    report = given(facts.boot).report
    if report is None:
        return SILENT_GUEST
    used = [one.name for one in report.channels if one.used]
    if not any(one.present for one in report.channels):
        return NotObserved("the guest found no configuration channel")
    if not report.network_data and not any(one in CARRIERS for one in used):
        return NotApplicable(f"no network_data.json: the guest is told by {', '.join(used) or 'none'}")
    remedy = "serve links and networks in types of nova's documentation (doc/api_schemas/network_data.json)"
    return tuple(
        Finding("network_data.json", "the documented form", shorten(one, 160), remedy)
        for one in defects(report.network_data, strict=False)[:FINDINGS_MAX]
    )

"""What a plan tells of the things that a run makes."""

from __future__ import annotations

from golden_flows.flows import making
from golden_flows.model.cloud import Profile
from golden_flows.shims import metadata
from golden_flows.shims.in_guest import pushed


def test_the_port_for_pushed_metadata_is_told_of_a_cloud_that_tells_nothing() -> None:
    told = [
        [
            one.why
            for one in making.abroad(Profile(cloud="c", channels=channels), hostile=True)
            if one.kind == "security_group"
        ]
        for channels in ((), ("openstack-http",))
    ]
    assert [[str(pushed.PORT) in one for one in groups] for groups in told] == [[True, True], [False, False]]


def test_every_shim_stands_ready() -> None:
    assert set(metadata.READY) == {one.name for one in (*metadata.SHIMS, metadata.OF_NOTHING)}

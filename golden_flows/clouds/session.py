"""One authenticated connection to a cloud; turns whatever the libraries raise into our errors, without secrets."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import openstack
import requests
from keystoneauth1 import exceptions as auth_errors
from openstack import exceptions as sdk_errors

from golden_flows.clouds.config import CloudConfig
from golden_flows.clouds.transcript import Transcript
from golden_flows.errors import CloudError, InteropError, Unreachable, Unsupported, UsageError, shorten
from golden_flows.journal import Journal

# Without a handler Python prints on stderr what keystoneauth tried before it raised; the exception says it better.
for _name in ("keystoneauth", "openstack"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

SILENT_TIMEOUT_S = 10.0
"""How long to wait for an answer from a cloud that has once not answered."""
TRANSFER_LIFE_S = 1800.0
"""A token that is to let in a large upload should live at least as long; many clouds give them one hour."""
TOKEN_TYPES = ("token", "v2token", "v3token", "admin_token", "none", "noauth")
"""Ways to log in by a token that somebody gave: what is derived from it may not outlive its end, or be had twice."""
SECRET_AUTH_KEYS = ("password", "token", "application_credential_secret", "passcode", "client_secret")


class ApiSession:
    """``service`` is ``compute``, ``image``, ``network`` or ``volume``: the openstacksdk proxy of that name."""

    def __init__(self, config: CloudConfig, journal: Journal, request_timeout_s: float) -> None:
        self.name, self.config, self._journal = config.name, config, journal
        region = config._region_config
        auth = region.config.get("auth") or {}
        self.auth_url = str(auth.get("auth_url"))
        for key in SECRET_AUTH_KEYS:
            journal.hide(auth.get(key))
        self.auth_type = str(region.config.get("auth_type") or "password")
        if not region.config.get("api_timeout"):
            region.config["api_timeout"] = request_timeout_s
        self.sdk: Any = None
        self.transcript = Transcript(self.name)
        with self.guard("connecting"):
            self.sdk = openstack.connection.Connection(config=region)
            self.transcript.listen(self.sdk.session.session)

    def close(self) -> None:
        self.sdk.close()

    @contextmanager
    def guard(self, doing: str) -> Iterator[None]:
        """Translate the exceptions of openstacksdk, keystoneauth and requests. ``doing``: 'creating a server'."""
        try:
            yield
        except InteropError:
            raise
        except (sdk_errors.SDKException, auth_errors.ClientException, requests.RequestException) as error:
            explained = explain(error, self.config, self.auth_url, doing)
            if isinstance(explained, Unreachable) and self.sdk is not None:
                # Whoever did not answer once is not waited for as long again: the end of a run asks many times.
                self.sdk.session.timeout = min(self.sdk.session.timeout or SILENT_TIMEOUT_S, SILENT_TIMEOUT_S)
            raise explained from error

    def send(
        self,
        service: str,
        method: str,
        path: str,
        *,
        json: object = None,
        data: object = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        microversion: str | None = None,
        stream: bool = False,
        token: str | None = None,
    ) -> requests.Response:
        """One request; any HTTP status is an answer. Raises ``CloudError`` when there is no answer.

        A token that the cloud refuses is replaced by a fresh one, once; ``token`` is sent instead, and never replaced.
        """
        options: dict[str, Any] = {"headers": dict(headers or {}), "raise_exc": False}
        if json is not None:
            options["json"] = json
        if data is not None:
            options["data"] = data
        if params is not None:
            options["params"] = dict(params)
        if microversion is not None:
            options["microversion"] = microversion
        if stream:
            options["stream"] = True
        if token is not None:
            options["authenticated"] = False
            options["headers"]["X-Auth-Token"] = token
        with self.guard(f"{method} {path}"):
            response: requests.Response = getattr(self.sdk, service).request(path, method, **options)
            return response

    def another_token(self) -> str:
        """A token beside the session's own. Raises ``CloudError`` or ``UsageError``."""
        with self.guard("logging in once more"):
            session = self.sdk.session
            token = str(session.auth.get_auth_ref(session).auth_token)
        self._journal.hide(token)
        return token

    def renew_token(self, life_s: float = TRANSFER_LIFE_S) -> None:
        """Log in anew where the session's token dies within ``life_s`` by its own account, and is ours to replace."""
        if self.auth_type in TOKEN_TYPES:
            return
        with self.guard("logging in"):
            session = self.sdk.session
            if session.auth.get_access(session).will_expire_soon(life_s):
                session.invalidate()
                self._journal.hide(session.get_token())

    def ask(
        self, service: str, method: str, path: str, *, expect: Collection[int] = (200,), **options: Any
    ) -> requests.Response:
        """As ``send``, but any other status than ``expect`` raises ``CloudError``."""
        response = self.send(service, method, path, **options)
        if response.status_code not in expect:
            raise self.refusal(response, f"{method} {path}")
        return response

    def read(self, service: str, path: str) -> dict[str, Any]:
        """The JSON object at ``path``."""
        return self.json_of(self.ask(service, "GET", path), path)

    def json_of(self, response: requests.Response, path: str) -> dict[str, Any]:
        try:
            document = response.json()
        except (requests.JSONDecodeError, RecursionError) as error:
            raise CloudError(f"cloud {self.name!r}: {path} answered something that is not JSON") from error
        if not isinstance(document, dict):
            raise CloudError(f"cloud {self.name!r}: {path} did not answer a JSON object")
        return document

    def refusal(self, response: requests.Response, doing: str) -> CloudError:
        return CloudError(
            f"cloud {self.name!r}: {doing}: HTTP {response.status_code} {reason_of(response)}".rstrip(),
            _REMEDIES.get(response.status_code, ""),
        )


_REMEDIES = {
    401: "the token was refused; check the cloud's clock and its identity service",
    403: "the cloud's policy or quota forbids this to the user; try another project or ask the operator",
    413: "a quota is used up; free something in the project",
    503: "the service is down; try again later or ask the operator",
}


def reason_of(response: requests.Response) -> str:
    """What an error body says: JSON of keystone, nova and neutron, or glance's HTML."""
    try:
        sdk_errors.raise_from_response(response)
    except sdk_errors.HttpException as error:
        return shorten(str(error.details or ""), 300)
    return ""


_NO_ENDPOINT = (auth_errors.CatalogException, sdk_errors.EndpointNotFound, sdk_errors.ServiceDisabledException)


def explain(error: Exception, config: CloudConfig, auth_url: str, doing: str) -> InteropError:
    """Our error for one of the libraries'. Names cloud, URL and remedy."""
    cloud = f"cloud {config.name!r}"
    chain = _chain(error)
    if isinstance(error, auth_errors.Unauthorized):
        return UsageError(
            f"{cloud}: {auth_url} refused the user name, the password or the project",
            f"check 'auth:' of {config.name!r} in {config.source_file}",
        )
    transport = _transport_problem(chain)
    if transport:
        what, remedy = transport
        return Unreachable(f"{cloud}: {what} ({_url_of(chain) or auth_url}), while {doing}", remedy)
    if isinstance(error, _NO_ENDPOINT):
        where = f" in region {config.region!r}" if config.region else ""
        return CloudError(
            f"{cloud}: its catalogue lacks an endpoint{where}, while {doing}: {shorten(str(error), 200)}",
            f"check region_name and interface of {config.name!r} in {config.source_file}",
        )
    if isinstance(error, (auth_errors.DiscoveryFailure, sdk_errors.ServiceDiscoveryException)):
        return CloudError(
            f"{cloud}: no OpenStack API answers at {auth_url}: {shorten(str(error), 200)}",
            f"check auth_url of {config.name!r} in {config.source_file}",
        )
    if isinstance(error, (sdk_errors.NotSupported, sdk_errors.MethodNotSupported)):
        return Unsupported(f"{cloud}: {shorten(str(error))}")
    if isinstance(error, sdk_errors.HttpException):
        status = error.status_code or 0
        reason = shorten(str(error.details or error), 300)
        return CloudError(f"{cloud}: {doing}: HTTP {status} {reason}", _REMEDIES.get(status, ""))
    if isinstance(error, auth_errors.AuthPluginException):
        return UsageError(f"{cloud}: {shorten(str(error), 200)}", f"check 'auth:' in {config.source_file}")
    return CloudError(f"{cloud}: {doing}: {type(error).__name__}: {shorten(str(error), 300)}")


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain and len(chain) < 12:
        chain.append(link)
        link = link.__cause__ or link.__context__
    return chain


def _transport_problem(chain: list[BaseException]) -> tuple[str, str] | None:
    """What is wrong below HTTP, if anything is: (what, remedy)."""
    text = " ".join(str(one) for one in chain)
    kinds = (auth_errors.ConnectionError, requests.ConnectionError, requests.Timeout, OSError)
    # Identity discovery swallows the connection error and raises DiscoveryFailure with its text.
    hit = any(isinstance(one, kinds) and not isinstance(one, requests.HTTPError) for one in chain)
    if not hit and "Unable to establish connection" not in text:
        return None
    if "wrong version number" in text.lower().replace("_", " "):
        return "it does not speak TLS", "write http:// if the API has no TLS"
    if any(isinstance(one, (auth_errors.SSLError, requests.exceptions.SSLError)) for one in chain):
        return "its TLS certificate is not trusted or does not match", "set 'cacert:' to the authority's file"
    if any(word in text for word in ("NameResolutionError", "Name or service not known", "name resolution")):
        return "its host name cannot be resolved", "check the URL and this machine's DNS"
    if any(isinstance(one, (auth_errors.ConnectTimeout, requests.Timeout)) for one in chain) or "timed out" in text:
        return "it did not answer in time", "check that the API is up and reachable from here"
    if "refused" in text:
        return "nothing listens there (connection refused)", "check that the API is up, and the URL"
    return "the connection failed or broke off", "check that the API is up and reachable from here"


def _url_of(chain: list[BaseException]) -> str | None:
    for one in chain:
        request = getattr(one, "request", None)
        url = getattr(request, "url", None)
        if url:
            return str(url).split("?", 1)[0]
    return None

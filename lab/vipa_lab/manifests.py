"""Manifests as tests need them: small, on the scenario's LAN, and slow enough for a busy machine."""


def virtual_ip(
    name: str = "erp",
    address: str = "10.1.1.7",
    *,
    failback: str = "{policy: Immediate}",
    timing: str = "Calm",
    preferred: str = "ibm-i",
    checks: str = "[]",
    binding: str = "Holder",
    attachment: str = "{type: Host}",
) -> str:
    """A VirtualIP manifest. ``address``: one, or two with a comma. Calm by default: on a busy machine a loop stands
    still longer than Default's silence."""
    return (
        f"apiVersion: vipa.dev/v1alpha1\nkind: VirtualIP\nmetadata: {{name: {name}}}\nspec:\n"
        f"  addresses: [{address}]\n  preferredInterfaceList: {preferred}\n"
        f"  failback: {failback}\n  timing: {timing}\n  healthChecks: {checks}\n"
        f"  binding: {binding}\n  attachment: {attachment}\n---\n"
    )


def preferred_list(*addresses: str, name: str = "ibm-i") -> str:
    """A PreferredInterfaceList manifest, without fallback."""
    entries = ", ".join(f"{{address: {address}}}" for address in addresses)
    return (
        f"apiVersion: vipa.dev/v1alpha1\nkind: PreferredInterfaceList\nmetadata: {{name: {name}}}\nspec:\n"
        f"  interfaces: [{entries}]\n  fallback: None\n---\n"
    )

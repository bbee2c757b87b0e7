"""What only the endpoints of organisations refuse."""

from apex_server.errors import Conflict, LimitReached

__all__ = ["InOrganisation", "OrganisationFull"]


class InOrganisation(Conflict):
    """A coach belongs to one organisation at a time."""

    code = "in_organisation"
    title = "You belong to another organisation."
    next_step = "Leave it first: DELETE /api/organisation/membership."


class OrganisationFull(LimitReached):
    """An owner reads along with so many coaches and no more."""

    code = "organisation_full"
    title = "This organisation has as many coaches as it may have."
    next_step = "Ask its owner to remove a coach who has left."

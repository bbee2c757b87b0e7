"""The endpoints of questionnaires, `/api/questionnaires`: what coaches ask beside the eight usual answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from litestar.params import FromQuery
from msgspec import UNSET, Struct, UnsetType

from apex_server.caller import Caller
from apex_server.checkins.examples import QUESTIONNAIRE, QUESTIONNAIRE_PATCH
from apex_server.db import load_queries
from apex_server.resources import IdMark, RecordController, RecordKind, record_view
from apex_sync.coaching.drafts import model_patch
from apex_sync.ids import library_scope
from apex_sync.models import QUESTIONNAIRES, Questionnaire

__all__ = ["QuestionnairesController"]

_queries = load_queries(__package__)


class NewQuestionnaire(Questionnaire, kw_only=True):
    """A questionnaire for the coach's library."""

    id: UUID | UnsetType = UNSET


@record_view
class QuestionnaireResource(Questionnaire, kw_only=True):
    """One questionnaire; questions are a map of entries by id, and answers in a check-in go by the same ids."""


class QuestionnairesPage(Struct):
    """Questionnaires, the newest first; `next` goes into `after` for the page that follows, null on the last."""

    questionnaires: list[QuestionnaireResource]
    next: str | None


@dataclass(frozen=True)
class QuestionnaireFilters:
    """Which questionnaires are listed."""

    active: FromQuery[bool | None] = None


class QuestionnairesController(RecordController):
    """Questionnaires of the caller's coach, or the coach's own."""

    path = "/api/questionnaires"
    tags = ("checkins",)
    request_max_body_size = 256 * 1024  # A hundred questions of a thousand characters.
    kind = RecordKind(
        QUESTIONNAIRES,
        "questionnaire",
        partial(model_patch, known=frozenset(QuestionnaireResource.__struct_fields__)),
    )
    view, page, new, draft = QuestionnaireResource, QuestionnairesPage, NewQuestionnaire, Questionnaire
    examples = (QUESTIONNAIRE, QUESTIONNAIRE, QUESTIONNAIRE_PATCH)
    entries = ("questions",)
    filters = QuestionnaireFilters
    list_query, sorted_by, mark = _queries.list_questionnaires, "-id", IdMark
    made_by = ("coach",)

    def scope_of_new(self, caller: Caller, draft: Mapping[str, Any]) -> str:
        """Add a questionnaire to the coach's library, which their athletes see."""
        return library_scope(str(caller.user_id))

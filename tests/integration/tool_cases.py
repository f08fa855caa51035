"""What the tests of the tool share: a schema, known tokens, and a check of failures."""

from conftest import SOURCE

EXAMPLES = SOURCE / "examples"
TOKEN_HELLO = "v1.tugTagQOcSZuNg4j.ZEaG7tl5SRS6CpKlUf1elap2LBwy"
TOKEN_EMPTY = "v1.YyEK7iZXYmNPo9uM.F7OUSZ5NEz2_ue3QS6Sgvw"
TOKEN_SSN = "v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU3"

PERSON = """\
openapi: 3.1.0
info: {title: people, version: "1"}
paths:
  /people:
    post:
      requestBody:
        content:
          application/json:
            schema: {$ref: "#/components/schemas/Person"}
      responses: {"204": {description: done}}
components:
  schemas:
    Person:
      type: object
      properties:
        ssn: {type: string, x-pii: true}
        age: {type: integer, x-pii: true}
        friends:
          type: array
          items: {$ref: "#/components/schemas/Person"}
    Pet:
      type: object
      properties:
        tag: {type: string, x-pii: true}
        owner: {$ref: "#/components/schemas/Person"}
"""
# Pet is reached by no body, so that file would be refused: tests that want it reachable add it to the roots.
PERSON_AND_PET = PERSON.replace(
    'schema: {$ref: "#/components/schemas/Person"}',
    'schema: {oneOf: [{$ref: "#/components/schemas/Person"}, {$ref: "#/components/schemas/Pet"}]}',
)


def assert_failed(done, status, *texts):
    assert done.returncode == status, done.stderr
    assert done.stdout == b""
    for text in texts:
        assert text in done.stderr.decode()

"""`mianshen lsp` driven by a client of the protocol that is not ours (pytest-lsp), with the abilities of real editors.

The client fails a test where the server breaks the protocol or answers with what an editor said it cannot take.
"""

import asyncio
import os
import pathlib
import shutil

import pytest
import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVER = os.environ.get("MIANSHEN", str(ROOT / "target" / "debug" / "mianshen"))
POLICY = "990100/old-age-allowance/policy.yaml"

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.filterwarnings("error::pytest_lsp.LspSpecificationWarning"),
]


class Editor:
    """A client on a copy of the shipped policies."""

    def __init__(self, client: LanguageClient, folder: pathlib.Path, encoding: types.PositionEncodingKind):
        self.client = client
        self.folder = folder
        self.encoding = encoding

    def uri(self, file: str) -> str:
        return (self.folder / "policies" / file).as_uri()

    def text(self, file: str) -> str:
        return (self.folder / "policies" / file).read_text(encoding="utf-8")

    def open(self, file: str, text: str) -> types.TextDocumentIdentifier:
        document = types.TextDocumentItem(uri=self.uri(file), language_id="yaml", version=1, text=text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=document))
        return types.TextDocumentIdentifier(uri=self.uri(file))

    async def diagnostics_until(self, file: str, wanted):
        """What is told of a file once it is as the test wants it."""
        async with asyncio.timeout(60):
            while not wanted(self.client.diagnostics.get(self.uri(file))):
                await self.client.wait_for_notification(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        return self.client.diagnostics[self.uri(file)]


    def position(self, text: str, after: str, word: str) -> types.Position:
        """Where a word stands, in the units that client and server agreed on."""
        at = text.index(word, text.index(after))
        before = text[:at].rsplit("\n", 1)[-1]
        if self.encoding == types.PositionEncodingKind.Utf8:
            column = len(before.encode())
        else:
            column = len(before.encode("utf-16-le")) // 2
        return types.Position(line=text.count("\n", 0, at), character=column)


@pytest_lsp.fixture(
    params=["neovim", "visual-studio-code", "emacs"],
    config=ClientServerConfig(server_command=[SERVER, "lsp", "--lang", "zh"]),
)
async def client(request, lsp_client: LanguageClient, tmp_path: pathlib.Path):
    for folder in ["policies", "data-samples"]:
        shutil.copytree(ROOT / folder, tmp_path / folder)
    lsp_client.feature(types.CLIENT_REGISTER_CAPABILITY)(lambda params: None)
    capabilities = client_capabilities(request.param)
    result = await lsp_client.initialize_session(
        types.InitializeParams(
            capabilities=capabilities,
            workspace_folders=[types.WorkspaceFolder(uri=tmp_path.as_uri(), name="policies")],
        )
    )
    encoding = types.PositionEncodingKind(result.capabilities.position_encoding)
    offered = capabilities.general.position_encodings if capabilities.general else None
    assert encoding in (offered or [types.PositionEncodingKind.Utf16])
    lsp_client.editor = Editor(lsp_client, tmp_path, encoding)
    yield
    await lsp_client.shutdown_session()
    assert lsp_client._server.returncode == 0


async def test_a_fault_comes_and_goes(client: LanguageClient):
    editor = client.editor
    text = editor.text(POLICY).replace("when: not deceased", "when: 性别 = '女' and not deceasd")
    editor.open(POLICY, text)
    told = await editor.diagnostics_until(POLICY, bool)
    assert [one.code for one in told] == ["unknown-fact"]
    start = editor.position(text, "id: alive", "deceasd")
    assert told[0].range == types.Range(start, types.Position(start.line, start.character + 7))
    assert told[0].message.startswith("没有“deceasd”这个事实\n帮助: 是不是想写“deceased”?")
    change = types.TextDocumentContentChangePartial(range=told[0].range, text="deceased")
    document = types.VersionedTextDocumentIdentifier(uri=editor.uri(POLICY), version=2)
    client.text_document_did_change(types.DidChangeTextDocumentParams(text_document=document, content_changes=[change]))
    # The cases are about the rule as it was: that they no longer touch every boundary is another matter.
    await editor.diagnostics_until(POLICY, lambda told: told is not None and {one.code for one in told} <= {"untouched-boundary"})


async def test_a_fact_is_explained(client: LanguageClient):
    editor = client.editor
    text = editor.text(POLICY).replace("when: not deceased", "when: 性别 = '女' and not deceased")
    document = editor.open(POLICY, text)
    params = types.HoverParams(text_document=document, position=editor.position(text, "id: alive", "性别"))
    async with asyncio.timeout(120):
        hover = await client.text_document_hover_async(params)
        while "正在计算" in hover.contents.value:
            await asyncio.sleep(0.2)
            hover = await client.text_document_hover_async(params)
    told = hover.contents.value
    assert "sex" in told and "登记库: 人口" in told and "没有记录: 未知" in told
    assert "样例中的分布 (2026-06-30, 1,989 人): 没有未知\n  - 女 " in told
    assert hover.range.start == params.position


async def test_names_are_completed(client: LanguageClient):
    editor = client.editor
    text = editor.text(POLICY).replace("when: not deceased or", "when: sex = ")
    document = editor.open(POLICY, text)
    at = editor.position(text, "id: alive", "sex = ")
    at.character += len("sex = ")
    found = await client.text_document_completion_async(types.CompletionParams(text_document=document, position=at))
    items = found.items if isinstance(found, types.CompletionList) else found
    female = next(item for item in items if item.label == "female")
    assert female.text_edit == types.TextEdit(range=types.Range(at, at), new_text="'female'")


async def test_a_clause_is_gone_to(client: LanguageClient):
    editor = client.editor
    text = editor.text(POLICY)
    document = editor.open(POLICY, text)
    params = types.DefinitionParams(text_document=document, position=editor.position(text, "id: alive", "notice"))
    found = await client.text_document_definition_async(params)
    assert [one.range.start for one in found] == [editor.position(text, "basis:\n", "notice")]


async def test_a_fault_is_mended(client: LanguageClient):
    editor = client.editor
    text = editor.text(POLICY).replace("not deceased or", "not deceasd or")
    document = editor.open(POLICY, text)
    at = editor.position(text, "id: alive", "deceasd")
    params = types.CodeActionParams(
        text_document=document, range=types.Range(at, at), context=types.CodeActionContext(diagnostics=[])
    )
    actions = await client.text_document_code_action_async(params)
    mends = next(action for action in actions if action.kind == types.CodeActionKind.QuickFix)
    edits = mends.edit.changes[document.uri] if mends.edit.changes else mends.edit.document_changes[0].edits
    assert [edit.new_text for edit in edits] == ["deceased"]


async def test_the_outline_and_the_format(client: LanguageClient):
    editor = client.editor
    text = editor.text(POLICY).replace("subject: person\n", "subject: person   \n")
    document = editor.open(POLICY, text)
    outline = await client.text_document_document_symbol_async(types.DocumentSymbolParams(text_document=document))
    assert outline[0].name == "990100-MZ-0007 高龄津贴"
    assert [child.name for child in outline[0].children][:3] == ["covers", "basis", "criteria"]
    options = types.FormattingOptions(tab_size=2, insert_spaces=True)
    edits = await client.text_document_formatting_async(
        types.DocumentFormattingParams(text_document=document, options=options)
    )
    assert [edit.new_text for edit in edits] == ["subject: person\n"]

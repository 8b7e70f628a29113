from dlcli.report.page import Items, Page, Section, Text


def test_blocks_come_in_the_order_of_reading_parts_after_their_section():
    inner = Section("b", (Text("2"),))
    page = Page("t", "l", (Section("a", (Text("1"),), (inner,)), Section("c", (Items(("3",)),))))
    assert list(page.blocks()) == [Text("1"), Text("2"), Items(("3",))]

"""Other people's programs as hosts for ours: the only modules that import nerfstudio.

Nothing else imports these modules; nerfstudio finds them by their entry points.
"""

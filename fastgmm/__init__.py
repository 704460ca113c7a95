"""fastgmm"""
